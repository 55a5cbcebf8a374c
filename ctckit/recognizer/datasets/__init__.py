"""Data sets to train on and to validate with: one module a layout, `detect` finds which it is."""
