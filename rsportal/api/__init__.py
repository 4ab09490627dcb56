"""What every API endpoint shares: errors, paging, authentication, the schema and its page.

``imagery.api`` and ``search.api`` hold the endpoints; ``rsportal.api_urls`` gives them their addresses. Import the
modules by name: REST framework loads some of them by dotted path while it is itself being imported.
"""
