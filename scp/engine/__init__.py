"""The engine: jobs on Dask workers, apart from receiving and from the truth in the ledger."""
