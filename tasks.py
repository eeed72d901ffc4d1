"""Where invoke looks for the menu (parlab/menu.py); `parlab`, once installed, is the same."""

from parlab.menu import namespace

__all__ = ["namespace"]
