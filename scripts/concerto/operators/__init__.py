"""Observation operators: from a model's outputs to what an instrument or a product reports.

Each module is one observable. It names the model outputs it needs (``OUTPUTS``), the unit of its
result (``UNIT``), and computes it (``observe``), element by element.
"""
