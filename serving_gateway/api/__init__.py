"""HTTP only: routes, their models, and errors as problem documents."""
