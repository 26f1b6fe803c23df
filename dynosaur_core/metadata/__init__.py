"""What a dataset revision tells before anything is designed: `stage` reads it, `features` makes fields of its types,
`facts` says what their sampled values are, `rows` leaves out rows that are too large and chooses the two that a
prompt shows.
"""
