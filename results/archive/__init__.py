"""Archives: sweeps as one SQLite database file, and merging such a file into a database.

results.archive.writing.export         the sweeps of a database -> an archive
results.archive.reading.open_archive   an archive, or any other sweep database file, checked
results.archive.merging.merge          what it holds -> a database; results.archive.merged
results.archive.parquet.export         the sweeps of a database -> Parquet, for other programs
"""
