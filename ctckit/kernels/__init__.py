"""numba kernels: arrays in, arrays out; no strings, no classes, no I/O.

Importing this package loads no numba; importing one of its modules does.
"""
