"""Makes the pages of the site that follow from the code: nothing of them is written down twice, or committed."""
