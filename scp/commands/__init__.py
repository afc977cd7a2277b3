"""The commands of ``hounsfield``; each module's ``command`` is one."""
