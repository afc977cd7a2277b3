"""From instances to a volume, from a volume to findings, from findings to DICOM objects.

A functional core: it knows nothing of sockets, ledgers, processes or site settings, and runs the
same under the node, under ``hounsfield run`` on a folder and in a test.
"""
