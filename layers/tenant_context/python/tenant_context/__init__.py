"""The kernel every function shares.

A request, a queue message or a schedule enters through one of the entry points (`tenant_context.entry`), which
verify who is asking, mint the `TenantContext`, open the tenant's transaction, call the function's own code and turn
what it answers, or raises, into the wire's form. Domain code below `shared/` sees only the words defined here.
"""
