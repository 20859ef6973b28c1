"""The page under /docs, whole from here: FastAPI's own loads what it shows with from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

_PATH = "/docs"
_SCRIPT, _STYLE, _ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"
# What the package brings besides, an application of its own, is not for us: ours has layers.
_FOLDER = Path(str(files("fastapi_offline"))) / "static"


def add_documentation_page(app: FastAPI) -> None:
    """Let an application show its OpenAPI document to people."""

    @app.get(_PATH, include_in_schema=False)
    async def show_documentation(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}{_PATH}/{_SCRIPT}",
            swagger_css_url=f"{root}{_PATH}/{_STYLE}",
            swagger_favicon_url=f"{root}{_PATH}/{_ICON}",
        )

    for name in (_SCRIPT, _STYLE, _ICON):
        _add_file(app, name)


def _add_file(app: FastAPI, name: str) -> None:
    @app.get(f"{_PATH}/{name}", include_in_schema=False)
    async def show_file() -> FileResponse:
        return FileResponse(_FOLDER / name)
