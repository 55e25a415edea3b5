"""Projections: read models built by folding events.

projection   the definition of a projection
folding      folds events into the tables of a projection
live         the handler of each projection, which folds event by event
rebuilding   rebuilds a whole read model from the event log, in batches
replacing    replaces the rows of a read model by the rebuilt ones, and writes only those that differ
lag          how many events a read model is missing
"""

from app.persistence.projections.projection import Projection, Row, Shares

__all__ = ["Projection", "Row", "Shares"]
