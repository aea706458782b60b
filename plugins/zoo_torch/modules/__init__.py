"""The modules that torch lacks, in files that are called as those of their layers."""
