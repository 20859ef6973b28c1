"""Have a feature's values drifted away from those of a reference?"""
