"""The labs, their handouts and the glossary, as text."""
