"""The models in the forms that other packages expect."""
