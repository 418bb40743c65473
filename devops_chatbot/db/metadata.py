"""The `MetaData` of every table. The tables themselves stand beside the nouns they keep."""

from sqlalchemy import MetaData

METADATA = MetaData()
