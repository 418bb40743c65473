"""Words of chunks, ranked by BM25."""
