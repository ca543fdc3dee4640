"""Downloads flags into the current directory: flags_peers.py CONNECTIONS URL…"""

import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

connections, *urls = sys.argv[1:]


def download(url):
    with urllib.request.urlopen(url, timeout=6.1) as response:
        image = response.read()
    with open(url.rpartition("/")[2], "wb") as file:
        file.write(image)


with ThreadPoolExecutor(int(connections)) as executor:
    list(executor.map(download, urls))
