"""The studio: a page in the browser to listen to, compare, vary and search music by its latents."""

from celesta.studio.app import create_app
from celesta.studio.serve import StudioServer, serve
from celesta.studio.settings import Limits, Settings

__all__ = ["Limits", "Settings", "StudioServer", "create_app", "serve"]
