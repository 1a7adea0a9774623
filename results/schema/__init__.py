"""Tables, views and revisions of the database."""
