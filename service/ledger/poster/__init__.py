"""Posts payments: all that wait are gathered into one call for each ledger.

Poster       what the API talks to: keys, bounds, and the dispatcher that empties the queues
Queues       who waits, in turn by ledger and API key
Bounds       how much may wait
Lateness     who sends more than can be posted in time
Calls        one call, and what becomes of its payments when it fails
Lanes        payments that a locked account holds up, apart from all others
Echo         who hears what was posted
Parcel       what one request handed in, and the one place where it is answered
"""

from service.ledger.poster.echo import Echo, NoEcho
from service.ledger.poster.parcels import Element, Owner
from service.ledger.poster.poster import Poster

__all__ = ["Echo", "Element", "NoEcho", "Owner", "Poster"]
