"""The shell around the pipeline: sockets, disk, processes and the clock."""
