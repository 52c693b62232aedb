"""Purchase processes of customers who leave without saying so, and what they spend.

`statistics` holds what the models read of each customer, `families` the models, `fitting`
maximum likelihood with a status instead of an error, `spend` the value of an order, and
`scoring` the same answers as SQL. Nothing here needs a warehouse; `martlet.estimators.lifetime`
makes model types of it.
"""
