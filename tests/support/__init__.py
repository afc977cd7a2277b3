"""What tests against real processes share: tools, a node, an Orthanc, waiting with a deadline."""
