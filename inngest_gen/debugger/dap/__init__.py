"""The Debug Adapter Protocol: a debugging session in editors, over stdin and stdout or a port. docs/debugging-dap.md, docs/design/debugger.md."""
