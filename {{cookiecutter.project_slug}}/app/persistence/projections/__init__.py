"""Projections: read models built by folding events.

projection   the definition of a projection, and live updates by single events
rebuilding   rebuilds a whole read model from the event log, in batches
lag          how many events a read model is missing
"""

from app.persistence.projections.projection import Projection, Row, Shares, project, project_committed

__all__ = ["Projection", "Row", "Shares", "project", "project_committed"]
