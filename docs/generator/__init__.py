"""Makes the sources of the site: the pages of docs/ with what follows from the code filled in, and files as pages.

It is a plain program before the site's builder and no plug-in of it, so that another builder can take its place.
"""
