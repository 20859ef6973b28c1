"""A page of plots that shows what has drifted, and how."""
