"""Mail that comes from elsewhere and goes elsewhere: import and export."""
