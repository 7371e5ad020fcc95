"""Where images come from: one module per layout, all giving `gan.data.records`; `detect` finds which."""
