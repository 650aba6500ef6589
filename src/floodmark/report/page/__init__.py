"""The report as one page of HTML that needs nothing else, with links to the files beside it."""
