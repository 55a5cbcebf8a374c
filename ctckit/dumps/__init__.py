"""Dumps of CTC matrices on disk: written once, then read, streamed and converted.

Importing this loads no pyarrow; opening or writing a dump does.
"""

from ctckit.dumps.store import Dump, DumpBatch, open_dump
from ctckit.dumps.writer import DumpWriter, write_dump
from ctckit.references import read_references

__all__ = ["Dump", "DumpBatch", "DumpWriter", "open_dump", "read_references", "write_dump"]
