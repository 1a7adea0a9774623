"""What runs write to stdout and stderr, kept in the folders of their attempts.

`capture` is in the process that trains, `writer` a process beside it that outlives it, and
`reading` for whoever wants to see it. The writer imports nothing but what it needs.
"""
