"""The reconciler: what a cluster shows and git does not say yet is asked for again, however its event got lost."""
