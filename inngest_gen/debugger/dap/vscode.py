"""The extension that VS Code needs: a manifest, which tells it of the debugger's type and of the command to start; no code at all. Pure.

VS Code starts `runtime` with `runtimeArgs` and speaks to its stdin and stdout; what is in a launch configuration comes with the launch request.
https://code.visualstudio.com/api/references/contribution-points#contributes.debuggers
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Final

TYPE: Final = "inngest-gen"
"""The debugger's type, in launch configurations."""

_ATTRIBUTES: Final[dict[str, Any]] = {
    "run": {
        "type": "string",
        "description": "The run: its id, the beginning or the end of it, or last. Or the path of a recording.",
        "default": "last",
    },
    "recording": {"type": "string", "description": "The path of a recording, instead of a run."},
    "server": {"type": "string", "description": "The URL of an Inngest server: run is a run there that has not ended."},
    "app": {"type": "string", "description": "MODULE:APP, such as shop:app or shop.py:app."},
    "db": {"type": "string", "description": "The engine's file.", "default": "inngest-gen.db"},
    "loop": {"enum": ["asyncio", "trio"], "description": "The event loop under which the handler is replayed.", "default": "asyncio"},
    "cwd": {
        "type": "string",
        "description": "The directory that the paths are relative to, and where modules are.",
        "default": "${workspaceFolder}",
    },
    "stopOnEntry": {"type": "boolean", "description": "Stop before the handler's first line.", "default": True},
    "stopAtEnd": {"type": "boolean", "description": "Stop where the record ends, to go back from there.", "default": True},
    "live": {"type": "boolean", "description": "Allow /live, which runs a step past the end of the record for real.", "default": False},
}
_LAUNCH: Final = {
    "type": TYPE, "request": "launch", "name": "Replay the last run", "run": "last", "app": "app:app", "cwd": "${workspaceFolder}",
}  # fmt: skip


def manifest(command: list[str], version: str) -> dict[str, Any]:
    """Make the manifest of an extension that starts a command: `inngest-gen debug --dap --stdio`, as words."""
    return {
        "name": "inngest-gen-debug",
        "displayName": "inngest-gen replay debugger",
        "description": "Steps through recorded runs of inngest-gen, forwards and backwards.",
        "version": version,
        "publisher": "inngest-gen",
        "license": "Apache-2.0",
        "engines": {"vscode": "^1.75.0"},
        "categories": ["Debuggers"],
        "contributes": {
            "breakpoints": [{"language": "python"}],
            "debuggers": [
                {
                    "type": TYPE,
                    "label": "inngest-gen replay",
                    "languages": ["python"],
                    "runtime": command[0],
                    "runtimeArgs": command[1:],
                    "configurationAttributes": {
                        "launch": {"required": ["app"], "properties": _ATTRIBUTES},
                        "attach": {"properties": _ATTRIBUTES},
                    },
                    "initialConfigurations": [_LAUNCH],
                    "configurationSnippets": [
                        {"label": "inngest-gen: replay a run", "description": "Steps through a recorded run.", "body": _LAUNCH},
                        {
                            "label": "inngest-gen: attach",
                            "description": "Connects to `inngest-gen debug RUN MODULE:APP --dap --port 4711`.",
                            "body": {"type": TYPE, "request": "attach", "name": "Attach to a replay", "debugServer": 4711},
                        },
                    ],
                }
            ],
        },
    }


def packed(manifest: dict[str, Any]) -> bytes:
    """Pack an extension as VS Code installs it: `code --install-extension FILE.vsix`."""
    name, publisher, version = manifest["name"], manifest["publisher"], manifest["version"]
    described = f"""<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="{name}" Version="{version}" Publisher="{publisher}"/>
    <DisplayName>{manifest["displayName"]}</DisplayName>
    <Description xml:space="preserve">{manifest["description"]}</Description>
    <Categories>Debuggers</Categories>
    <Properties><Property Id="Microsoft.VisualStudio.Code.Engine" Value="{manifest["engines"]["vscode"]}"/></Properties>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>
"""
    types = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("extension.vsixmanifest", described)
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("extension/package.json", json.dumps(manifest, indent=2))
    return file.getvalue()
