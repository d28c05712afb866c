"""A rendered environment running on this machine, written against Kubernetes objects."""
