"""Texts from the files that were ingested, in place of ClickHouse: found by source and row, which a document's id consists of."""

from .texts import SourceFiles

__all__ = ['SourceFiles']
