"""Schema migrations.

revisions   the migrations in the code, as a graph
applied     the record of the migrations applied to a database
migrate     `app db`: applies migrations, and refuses inconsistent states
"""
