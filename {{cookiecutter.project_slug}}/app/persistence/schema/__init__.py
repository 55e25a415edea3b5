"""The schema, migration by migration.

revisions   the migrations that there are, as a graph
applied     those that a database has had, on record
migrate     `app db`: applies them, and refuses what cannot be right
"""
