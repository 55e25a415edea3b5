"""Read models that are kept by folding events.

projection   what a projection is, and folding one event into it: live
rebuilding   makes a whole read model anew from the event log, in batches
lag          how many events a read model does not have yet
"""

from app.persistence.projections.projection import Projection, Row, Shares, project, project_committed

__all__ = ["Projection", "Row", "Shares", "project", "project_committed"]
