"""Maps without internet: land outlines of Natural Earth and the views pages draw from them as SVG."""
