"""Writes the API's OpenAPI 3.1 description from the functions' route declarations.

A new route, or a new function, is in the description as soon as it is declared; nothing is listed by hand here.
"""
