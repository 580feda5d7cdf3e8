"""The terminal view of `inngest-gen debug`: source, timeline, locals, branches and defers of each stop, and single-key commands.

`keys` is the table of commands, `shown` what there is to see, `panes` and `layout` draw it as text (pure), `steering` does what keys ask for, and
`window` alone knows the library that owns the terminal.
"""
