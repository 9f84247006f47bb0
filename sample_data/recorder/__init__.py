"""Parts of the recorder of the sample capture (see ``sample_data/record.py``)."""
