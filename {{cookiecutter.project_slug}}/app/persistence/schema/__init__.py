"""Schema migrations.

revisions   the migrations in the code, as a graph
applied     the migrations applied to a database, and whether the service may start on it
record      writes the record of them
references  whether rows refer to rows that exist
differences what differs between the tables in the code and in the database, as sentences
steps       applies and reverts migrations one by one
runner      a connection that holds the lock for migrations
migrate     the commands of `app db`
"""
