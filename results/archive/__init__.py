"""Archives: sweeps as a folder of Parquet files, and merging such a folder into a database.

    results.archive.writing.export      the sweeps of a database -> a folder
    results.archive.reading.Archive     a folder, checked before anything is believed
    results.archive.merging.merge       an archive -> a database; results.archive.merged.Merged

All but `merged` import pyarrow: import them where they are used.
"""
