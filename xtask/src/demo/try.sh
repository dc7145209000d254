# Launch an agent. Any key will do here: no model is asked.
ID=$(curl -s http://localhost:8000/api/agents/launch -H 'Content-Type: application/json' \
  -d '{"api_key": "demo", "config_id": "code-assistant"}' | sed 's/.*"session_id":"\([^"]*\)".*/\1/'); echo "$ID"

# Ask it for something, and watch every step.
curl -N "http://localhost:8000/api/agents/$ID/chat" -H 'Authorization: Bearer demo' \
  -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \
  -d '{"message": "Write a program that prints the first ten primes, and run it."}'

# End it: the container and its workspace go.
curl -X DELETE "http://localhost:8000/api/agents/sessions/$ID" -H 'Authorization: Bearer demo'
