"""The database and the files beside it: one engine, one `MetaData`, transactions, migrations, and blobs."""
