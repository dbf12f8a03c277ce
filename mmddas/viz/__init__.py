"""Figures, contact sheets, tables and reports. Import the module that draws: Matplotlib takes a second."""
