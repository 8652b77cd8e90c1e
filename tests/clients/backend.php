<?php
// A backend of the client tests, for `php -S ADDRESS backend.php`: says which one it is.
header('content-type: text/plain');
echo getenv('BACKEND');
